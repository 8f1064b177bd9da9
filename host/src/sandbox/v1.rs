//! Speaks `tidegate:plugin@1.0.0`: the only file that sees the types generated from it. Knows nothing of
//! limits.

use super::Question;
use super::limiter::CallState;
use super::trap::Failure;
use super::wasi;
use crate::decision::{Decision, HttpRequest, Refusal};
use crate::event::{Arrival, Asset, Reference};
use generated::exports::tidegate::plugin::handler as wit;
use wasmtime::Store;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre};

/// The export that makes a component a plugin of this version.
pub(super) const INTERFACE: &str = "tidegate:plugin/handler@1.0.0";

mod generated {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// A component's handler, ready to be instantiated.
pub(super) struct Handler {
    plugin: generated::PluginPre<CallState>,
    lifts_for_host: bool,
}

impl Handler {
    /// Fails when the export does not have the contract's types.
    pub(super) fn new(linked: InstancePre<CallState>) -> wasmtime::Result<Self> {
        let component = linked.component();
        check_types(component)?;
        let lifts_for_host =
            component.component_type().imports(component.engine()).any(|(name, _)| wasi::lifts(name));
        Ok(Self { plugin: generated::PluginPre::new(linked)?, lifts_for_host })
    }

    /// Whether it may call the host with something that is taken out of its memory.
    pub(super) const fn lifts_for_host(&self) -> bool {
        self.lifts_for_host
    }

    /// Makes an instance in `store`, its start functions included, and asks it nothing.
    pub(super) fn instance(&self, store: &mut Store<CallState>) -> Result<Instance, Failure> {
        self.plugin.instantiate(store).map(Instance).map_err(Failure::Start)
    }
}

/// An instance of a plugin.
pub(super) struct Instance(generated::Plugin);

impl Instance {
    /// Asks it, in the store it was made in.
    pub(super) fn ask(
        &self,
        store: &mut Store<CallState>,
        question: &Question<'_>,
    ) -> Result<Result<Vec<Decision>, Refusal>, Failure> {
        let settings: Vec<_> =
            question.settings.iter().map(|(name, value)| wit::NameValueParam { name, value }).collect();
        let attributes = &question.event.attributes;
        let attributes: Vec<_> =
            attributes.iter().map(|(name, value)| wit::NameValueParam { name, value }).collect();
        let changed: Vec<_> = question.event.changed.iter().map(String::as_str).collect();
        let receipt = question.event.receipt.to_string();
        let lists = Lists { settings: &settings, attributes: &attributes, changed: &changed };
        let told = event(question, &receipt, &lists);
        let answer = self.0.tidegate_plugin_handler().call_handle(store, told).map_err(Failure::Call)?;
        Ok(match answer {
            Ok(decisions) => Ok(decisions.into_iter().map(decision).collect()),
            Err(refused) => Err(refusal(refused)),
        })
    }
}

/// The generated code compares types only once there is an instance; admission needs to know before.
fn check_types(component: &Component) -> wasmtime::Result<()> {
    type Parameters<'a> = (wit::Event<'a>,);
    type Results = (Result<Vec<wit::Decision>, wit::Refusal>,);
    let interface = component.get_export_index(None, INTERFACE);
    let handle = interface.and_then(|interface| component.get_export(Some(&interface), "handle"));
    let Some((ComponentItem::ComponentFunc(handle), _)) = handle else {
        return Err(wasmtime::format_err!("it has no function `handle`"));
    };
    let ty = component.component_type();
    handle.typecheck::<Parameters<'_>, Results>(&ty.instance_type())
}

/// The lists of an event, as what is lowered borrows them.
struct Lists<'a> {
    settings: &'a [wit::NameValueParam<'a>],
    attributes: &'a [wit::NameValueParam<'a>],
    changed: &'a [&'a str],
}

/// The event in the contract's words, all borrowed: lowering copies each byte once, into the plugin.
fn event<'a>(question: &Question<'a>, receipt: &'a str, lists: &Lists<'a>) -> wit::Event<'a> {
    let event = question.event;
    wit::Event {
        receipt,
        source: event.source.as_str(),
        kind: &event.kind,
        subject: &event.subject,
        received_at_ms: event.received_at_ms,
        occurred_at_ms: event.occurred_at_ms(),
        arrival: arrival(event.arrival),
        attempt: question.attempt,
        content_type: event.content_type.as_deref(),
        body: &event.body,
        asset: event.asset.as_ref().map(asset),
        previous: event.previous.as_ref().map(|snapshot| &*snapshot.json),
        changed: lists.changed,
        memory: question.memory,
        settings: lists.settings,
        attributes: lists.attributes,
    }
}

const fn arrival(arrival: Arrival) -> wit::Arrival<'static> {
    match arrival {
        Arrival::First => wit::Arrival::First,
        Arrival::Duplicate(_) => wit::Arrival::Duplicate,
        Arrival::Stale => wit::Arrival::Stale,
        Arrival::Conflict => wit::Arrival::Conflict,
        Arrival::AfterDelete => wit::Arrival::AfterDelete,
        Arrival::Echo => wit::Arrival::Other("echo"),
    }
}

fn asset(asset: &Asset) -> wit::Asset<'_> {
    wit::Asset {
        id: asset.id.as_deref(),
        name: asset.name.as_deref(),
        asset_type: asset.asset_type.as_ref().map(reference),
        location: asset.location.as_ref().map(reference),
        loanee: asset.loanee.as_ref().map(reference),
        created_at: asset.created_at.as_deref(),
        updated_at: asset.updated_at.as_deref(),
        field_values: asset.field_values.as_deref(),
    }
}

fn reference(reference: &Reference) -> wit::Reference<'_> {
    wit::Reference { id: reference.id.as_deref(), name: reference.name.as_deref() }
}

fn decision(decision: wit::Decision) -> Decision {
    match decision {
        wit::Decision::Http(http) => Decision::Http(HttpRequest {
            method: http.method,
            url: http.url,
            headers: http.headers.into_iter().map(|header| (header.name, header.value)).collect(),
            body: http.body,
            timeout_ms: http.timeout_ms,
            reply_tag: http.reply_tag,
        }),
        wit::Decision::Emit(emit) => Decision::Emit {
            kind: emit.kind,
            subject: emit.subject,
            content_type: emit.content_type,
            body: emit.body,
        },
        wit::Decision::Wake(wake) => {
            Decision::Wake { after_ms: wake.after_ms, tag: wake.tag, body: wake.body }
        }
        wit::Decision::Remember(memory) => Decision::Remember(memory),
        wit::Decision::Note(text) => Decision::Note(text),
        wit::Decision::Other(other) => Decision::Other { kind: other.kind, body: other.body },
    }
}

fn refusal(refusal: wit::Refusal) -> Refusal {
    match refusal {
        wit::Refusal::Skip => Refusal::Skip,
        wit::Refusal::RetryAfterMs(after_ms) => Refusal::RetryAfterMs(after_ms),
        wit::Refusal::Park(reason) => Refusal::Park(reason),
        wit::Refusal::Other(reason) => Refusal::Other(reason),
    }
}
