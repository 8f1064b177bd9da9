//! A mirror's component in wasmtime, with nothing of the host around it. Knows nothing of what is asked.

use crate::wit::{Decision, Event, Plugin, PluginPre, Refusal};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

/// A component, ready to be instantiated.
pub(crate) struct Mirror {
    engine: Engine,
    plugin: PluginPre<()>,
}

impl Mirror {
    pub(crate) fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let engine = Engine::default();
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        // A language may link WASI for its log. A mirror writes none, so whatever it calls there is a failure.
        linker.define_unknown_imports_as_traps(&component)?;
        Ok(Self { plugin: PluginPre::new(linker.instantiate_pre(&component)?)?, engine })
    }

    /// Asks a fresh instance.
    pub(crate) fn ask(&self, event: &Event) -> wasmtime::Result<Result<Vec<Decision>, Refusal>> {
        let mut store = Store::new(&self.engine, ());
        let plugin: Plugin = self.plugin.instantiate(&mut store)?;
        plugin.tidegate_plugin_handler().call_handle(&mut store, event)
    }
}
