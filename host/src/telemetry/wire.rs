//! Metrics and spans as messages of OTLP
//! (<https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto>). Pure.

use crate::metric::histogram::{BOUNDS_MS, Spread};
use crate::metric::{Family, Kind, Sample, Value};
use crate::trace::{self, Told};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message as _;
use std::time::Duration;

/// What is told, as the body of a request to `/v1/traces`.
#[must_use]
pub(super) fn traces(resource: &[KeyValue], told: &[Told]) -> Vec<u8> {
    let spans = ScopeSpans {
        scope: Some(scope()),
        spans: told.iter().flat_map(trace::spans).collect(),
        ..ScopeSpans::default()
    };
    let of_resource = ResourceSpans {
        resource: Some(as_resource(resource)),
        scope_spans: vec![spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![of_resource] }.encode_to_vec()
}

/// The metrics at this time, counted since the start, as the body of a request to `/v1/metrics`; both times are in
/// milliseconds since the Unix epoch.
#[must_use]
pub(super) fn metrics(resource: &[KeyValue], families: &[Family], started_ms: u64, now_ms: u64) -> Vec<u8> {
    let times = Times { from: nanos(started_ms), to: nanos(now_ms) };
    let metrics = ScopeMetrics {
        scope: Some(scope()),
        // What has no sample is no metric here.
        metrics: families.iter().filter(|it| !it.samples.is_empty()).map(|it| times.metric(it)).collect(),
        ..ScopeMetrics::default()
    };
    let of_resource = ResourceMetrics {
        resource: Some(as_resource(resource)),
        scope_metrics: vec![metrics],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![of_resource] }.encode_to_vec()
}

/// Between which points in time something was counted, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy)]
struct Times {
    from: u64,
    to: u64,
}

impl Times {
    fn metric(self, family: &Family) -> Metric {
        let Family { name, kind, help, samples } = family;
        let cumulative = AggregationTemporality::Cumulative.into();
        let numbers = || samples.iter().filter_map(|sample| self.number(sample)).collect();
        let data = match kind {
            Kind::Counter => Data::Sum(Sum {
                data_points: numbers(),
                aggregation_temporality: cumulative,
                is_monotonic: true,
            }),
            Kind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
            Kind::Histogram => Data::Histogram(Histogram {
                data_points: samples.iter().filter_map(|sample| self.spread(sample)).collect(),
                aggregation_temporality: cumulative,
            }),
        };
        Metric {
            name: (*name).to_owned(),
            description: (*help).to_owned(),
            unit: unit(name).to_owned(),
            data: Some(data),
            ..Metric::default()
        }
    }

    fn number(self, sample: &Sample) -> Option<NumberDataPoint> {
        let value = match &sample.value {
            Value::Number(number) => Number::AsInt(i64::try_from(*number).unwrap_or(i64::MAX)),
            Value::Time(time) => Number::AsDouble(time.as_secs_f64()),
            Value::Spread(_) => return None,
        };
        Some(NumberDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: self.from,
            time_unix_nano: self.to,
            value: Some(value),
            ..NumberDataPoint::default()
        })
    }

    fn spread(self, sample: &Sample) -> Option<HistogramDataPoint> {
        let Value::Spread(Spread { counts, sum }) = &sample.value else { return None };
        let bounds = BOUNDS_MS.iter().map(|bound_ms| Duration::from_millis(*bound_ms).as_secs_f64());
        Some(HistogramDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: self.from,
            time_unix_nano: self.to,
            count: counts.iter().sum(),
            sum: Some(sum.as_secs_f64()),
            bucket_counts: counts.to_vec(),
            explicit_bounds: bounds.collect(),
            ..HistogramDataPoint::default()
        })
    }
}

/// The unit that a metric's name ends with, in the words of UCUM.
fn unit(name: &str) -> &'static str {
    match name.trim_end_matches("_total").trim_end_matches("_max") {
        name if name.ends_with("_seconds") => "s",
        name if name.ends_with("_bytes") => "By",
        _ => "1",
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    sample.labels.iter().map(|(name, value)| trace::text(name, value.as_str())).collect()
}

fn as_resource(attributes: &[KeyValue]) -> Resource {
    Resource { attributes: attributes.to_vec(), ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "tidegate".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn nanos(at_ms: u64) -> u64 {
    at_ms.saturating_mul(1_000_000)
}
