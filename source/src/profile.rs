//! How senders behave and punish. One file per profile; a profile is added by its file, its line in [`PROFILES`]
//! and its vectors. Knows nothing of tokens, stores or JavaScript.

mod amj;
mod cloudevents;
mod generic;
mod github;
mod hmac;
mod jira;
mod shopify;
mod slack;
mod standard_webhooks;
mod stripe;

use crate::settings::{Settings, SettingsError};
use crate::topic::Topic;

/// Every profile there is.
const PROFILES: [&dyn Profile; 10] = [
    &amj::Amj,
    &generic::Generic,
    &hmac::Hmac,
    &standard_webhooks::StandardWebhooks,
    &slack::Slack,
    &github::GitHub,
    &jira::Jira,
    &stripe::Stripe,
    &shopify::Shopify,
    &cloudevents::CloudEvents,
];

/// How one kind of sender behaves, and how it punishes a receiver that does not answer as it likes.
pub trait Profile: Sync {
    /// Its name, as it stands in the sources' configuration.
    fn name(&self) -> &'static str;

    /// One sentence for people: whom it is for and what is checked.
    fn about(&self) -> &'static str;

    /// Request headers, lower case, that become part of the envelope besides
    /// [`tidegate_envelope::limit::HEADERS_KEPT`]; at most eight. None of them may hold a secret.
    fn headers_kept(&self) -> &'static [&'static str] {
        &[]
    }

    /// The status that acknowledges an event which was made durable: a 2xx.
    fn accepted(&self) -> u16 {
        202
    }

    /// How the sender punishes.
    fn punishment(&self) -> Punishment;

    /// What a person does to have a sender that switched off deliver again: one step per line.
    fn resume_steps(&self) -> &'static [&'static str];

    /// The keys of `signing` that it takes, of [`crate::settings::KEYS`].
    fn settings_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// The check of its requests, from the source's settings; `None` when its sender signs nothing. Called once per
    /// source and configuration, with no other keys than [`Profile::settings_keys`].
    ///
    /// # Errors
    /// When the settings are not what the profile needs: says which and what to do.
    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError>;

    /// What an event is and what it is about, as far as its headers and body say. Called once per event, by the host.
    /// The default says nothing: then the host reads the body as an asset event.
    fn topic(&self, _headers: &[(&str, &str)], _body: &[u8]) -> Topic {
        Topic::default()
    }
}

/// Judges requests of one source. Total: any method, headers and bytes give a judgement, never a panic.
pub trait Verifier: Send + Sync {
    /// The request headers it reads, lower case.
    fn headers(&self) -> Vec<String>;

    /// Whether it reads the body. If not, it is asked with an empty one.
    fn reads_body(&self) -> bool;

    /// Judges one request. Called once per request, before anything of it is kept.
    fn judge(&self, request: &Request<'_>) -> Judgement;
}

/// A request, as far as a verifier may see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// Name (lower case) and value of the headers asked for, where the request has them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The raw bytes.
    pub body: &'a [u8],
    /// When it came, in seconds since the Unix epoch.
    pub now_s: u64,
}

impl<'a> Request<'a> {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// What a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// An event: keep it, then acknowledge it.
    Event,
    /// Not from the sender, as far as can be told: 401, and nothing is kept. Says why, without a secret in it.
    Forged(&'static str),
    /// A question about the URL itself: answer it, nothing is kept.
    Handshake(Handshake),
}

/// The answer to a question about the URL itself. Its status is 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The content type of `body`.
    pub content_type: &'static str,
    /// Name and value of further headers; values are printable ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// How a sender punishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Punishment {
    /// After so many failures one after another it stops delivering until a person acts.
    Consecutive(u32),
    /// It stops or slows by another rule, in words: no count can be given.
    Other(&'static str),
    /// An event it could not deliver is lost; nothing is switched off.
    None,
}

/// The profile of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Profile> {
    PROFILES.into_iter().find(|profile| profile.name() == name)
}

/// Every profile there is, in the order they are listed in.
pub fn all() -> impl Iterator<Item = &'static dyn Profile> {
    PROFILES.into_iter()
}

/// The check of a source's requests under this profile.
///
/// # Errors
/// When the settings have a key that the profile does not take, or are not what it needs.
pub(crate) fn verifier(
    profile: &dyn Profile,
    settings: &Settings,
) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
    let taken = profile.settings_keys();
    if let Some(key) = settings.keys_given().find(|key| !taken.contains(key)) {
        let name = profile.name();
        return Err(SettingsError(if taken.is_empty() {
            format!(
                "`{name}` takes no `signing.{key}`, its sender signs nothing: remove it, or choose another profile"
            )
        } else {
            format!(
                "`{name}` takes no `signing.{key}`, only {}: remove it, or choose the profile `hmac`",
                taken.join(", ")
            )
        }));
    }
    profile.verifier(settings)
}
