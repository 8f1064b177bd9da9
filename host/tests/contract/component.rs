//! A mirror's component in wasmtime, with nothing of the host around it. Knows nothing of what is asked.

use crate::wit::{Decision, Event, Plugin, PluginPre, Refusal};
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Val};
use wasmtime::{Engine, Store, format_err};

/// A component, ready to be instantiated.
pub(crate) struct Mirror {
    engine: Engine,
    plugin: PluginPre<()>,
}

impl Mirror {
    pub(crate) fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let engine = Engine::default();
        let component = Component::new(&engine, component)?;
        let linker = linker(&engine, &component)?;
        Ok(Self { plugin: PluginPre::new(linker.instantiate_pre(&component)?)?, engine })
    }

    /// Asks a fresh instance.
    pub(crate) fn ask(&self, event: &Event) -> wasmtime::Result<Result<Vec<Decision>, Refusal>> {
        let mut store = Store::new(&self.engine, ());
        let plugin: Plugin = self.plugin.instantiate(&mut store)?;
        plugin.tidegate_plugin_handler().call_handle(&mut store, event)
    }
}

/// Gives a component whatever it imports, with nothing behind it: the contract is asked about here, and the host's own
/// WASI elsewhere.
fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<()>> {
    let mut linker = Linker::new(engine);
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            return Err(format_err!("it imports {name}, which is no interface"));
        };
        let mut instance = linker.instance(name)?;
        for (name, item) in interface.exports(engine) {
            give_nothing(&mut instance, name, item.ty)?;
        }
    }
    Ok(linker)
}

fn give_nothing(
    instance: &mut LinkerInstance<'_, ()>,
    name: &str,
    item: ComponentItem,
) -> wasmtime::Result<()> {
    match item {
        ComponentItem::ComponentFunc(_) => instance.func_new(name, |_, ty, asked, results| {
            for (result, ty) in results.iter_mut().zip(ty.results()) {
                *result = nothing(&ty, asked)?;
            }
            Ok(())
        }),
        ComponentItem::Resource(_) => {
            instance.resource(name, ResourceType::host::<()>(), |_, _| Ok(())).map(drop)
        }
        _ => Ok(()),
    }
}

/// The least value of a type; where bytes are asked for by their number, as chance is, that many zeros.
fn nothing(ty: &Type, asked: &[Val]) -> wasmtime::Result<Val> {
    Ok(match ty {
        Type::List(_) => {
            let count =
                asked.iter().find_map(|val| if let Val::U64(count) = val { Some(*count) } else { None });
            Val::List(vec![Val::U8(0); usize::try_from(count.unwrap_or(0))?])
        }
        Type::Option(_) => Val::Option(None),
        Type::U64 => Val::U64(0),
        Type::U32 => Val::U32(0),
        Type::Tuple(ty) => Val::Tuple(ty.types().map(|ty| nothing(&ty, asked)).collect::<Result<_, _>>()?),
        Type::Record(ty) => {
            let fields = ty.fields().map(|field| Ok((field.name.to_owned(), nothing(&field.ty, asked)?)));
            Val::Record(fields.collect::<wasmtime::Result<_>>()?)
        }
        other => return Err(format_err!("a mirror needs no {other:?}")),
    })
}
