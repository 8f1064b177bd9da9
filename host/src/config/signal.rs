//! What the operator sets about what the host tells: how the log is written, and what OpenTelemetry's own variables say.

use super::TelemetrySection;
use serde::{Deserialize, Serialize};

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// A JSON object in each line.
    Json,
}

impl TelemetrySection {
    /// What OpenTelemetry's own variables say, where the file says nothing
    /// (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
    pub(super) fn take_standard(&mut self, env: &[(String, String)]) {
        let set = |wanted: &str| {
            let found = env.iter().find(|(name, value)| name == wanted && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let usual = Self::default();
        if self.otlp_url.is_empty() {
            self.otlp_url = set("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_default();
        }
        if self.service_name == usual.service_name {
            self.service_name = set("OTEL_SERVICE_NAME").unwrap_or(usual.service_name);
        }
        if set("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            self.otlp_url.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_variables_count_where_the_file_says_nothing() {
        let env = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let named =
            env(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"), ("OTEL_SERVICE_NAME", "ours")]);
        let mut section = TelemetrySection::default();
        section.take_standard(&named);
        assert_eq!(
            (section.otlp_url.as_str(), section.service_name.as_str()),
            ("http://127.0.0.1:4318", "ours")
        );
        let written =
            TelemetrySection { otlp_url: "https://a.example".into(), service_name: "b".into(), ..section };
        let mut section = written.clone();
        section.take_standard(&named);
        assert_eq!(section, written);
        section.take_standard(&env(&[("OTEL_SDK_DISABLED", "TRUE")]));
        assert_eq!(section.otlp_url, "");
    }
}
