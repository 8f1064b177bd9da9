//! Shopify. Signs the body with HMAC-SHA256 in base64, waits five seconds, tries eight times more in four hours, and
//! after eight failures one after another removes the subscription
//! (<https://shopify.dev/docs/apps/build/webhooks/troubleshooting-webhooks>).

use super::{Profile, Punishment, Verifier};
use crate::settings::{Settings, SettingsError};
use crate::signature::{Algorithm, Encoding, HeaderSignature, MacKeys};
use crate::topic::{self, Topic};

pub(super) struct Shopify;

impl Profile for Shopify {
    fn name(&self) -> &'static str {
        "shopify"
    }

    fn about(&self) -> &'static str {
        "Shopify: base64 of the HMAC-SHA256 of the body in `x-shopify-hmac-sha256`; the secret is the app's client secret"
    }

    /// `x-shopify-event-id` is that of the event, `x-shopify-webhook-id` that of the delivery; both stay the same when
    /// it is tried again.
    fn headers_kept(&self) -> &'static [&'static str] {
        &[
            "x-shopify-topic",
            "x-shopify-sub-topic",
            "x-shopify-shop-domain",
            "x-shopify-event-id",
            "x-shopify-webhook-id",
            "x-shopify-triggered-at",
            "x-shopify-api-version",
        ]
    }

    fn accepted(&self) -> u16 {
        200
    }

    fn punishment(&self) -> Punishment {
        Punishment::Consecutive(8)
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "A subscription that was made through the Admin API is removed: make it again with the URL of this source.",
            "A subscription of the app's own configuration is kept: deploy the app again if it is not listed any more.",
            "Compare orders, products and whatever else you follow with what was received: the events meanwhile are lost.",
        ]
    }

    fn settings_keys(&self) -> &'static [&'static str] {
        &["secrets"]
    }

    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        Ok(Some(Box::new(HeaderSignature {
            header: "x-shopify-hmac-sha256".into(),
            prefix: String::new(),
            encoding: Encoding::Base64,
            keys: MacKeys::of_texts(Algorithm::Sha256, settings)?,
            time: None,
        })))
    }

    fn topic(&self, headers: &[(&str, &str)], body: &[u8]) -> Topic {
        let [graphql_id, id] = topic::texts(body, [&["admin_graphql_api_id"], &["id"]]);
        Topic::new(topic::header(headers, "x-shopify-topic").map(str::to_owned), graphql_id.or(id))
    }
}
