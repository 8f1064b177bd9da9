//! How values that are text of a certain form are described in the API's description. Knows nothing of routes.

use crate::deployment::Share;
use crate::plugin::{PluginName, Version};
use crate::store::parked::ParkedId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

impl JsonSchema for PluginName {
    fn schema_name() -> Cow<'static, str> {
        "PluginName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", "description": "The name of a plugin."
        })
    }
}

impl JsonSchema for Version {
    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "description": "One immutable version of a plugin: 64 hexadecimal digits."
        })
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,2})?%?$", "description": "A percentage, such as `5%`."
        })
    }
}

impl JsonSchema for ParkedId {
    fn schema_name() -> Cow<'static, str> {
        "ParkedId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "RECEIPT/PLUGIN, RECEIPT/PLUGIN/POSITION, stray/N or alert/N."
        })
    }
}
