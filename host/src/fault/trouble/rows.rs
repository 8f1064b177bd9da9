//! The table: a new trouble does not compile until it is explained here. Knows nothing of how it is shown.

use super::{Group, Meaning, Trouble};
use crate::limits::{Limits, STACK_BYTES_MAX};

/// What it means, what the plugin's author does, what the operator does.
type Text = [&'static str; 3];

/// The row about this trouble.
pub(super) fn row(trouble: Trouble) -> Meaning {
    let limits = Limits::default();
    let limit = |name, key, default: usize, text| {
        let limit = Some((key, u64::try_from(default).unwrap_or(u64::MAX)));
        Meaning { limit, ..meaning(name, Group::Limit, text) }
    };
    match trouble {
        Trouble::WallTimeMs => Meaning {
            limit: Some(("limits.wall_time_ms", limits.wall_time_ms)),
            ..meaning("wall_time_ms", Group::Limit, WALL_TIME)
        },
        Trouble::Fuel => {
            Meaning { limit: Some(("limits.fuel", limits.fuel)), ..meaning("fuel", Group::Limit, FUEL) }
        }
        Trouble::MemoryBytes => limit("memory_bytes", "limits.memory_bytes", limits.memory_bytes, MEMORY),
        Trouble::MemoryGrowths => {
            limit("memory_growths", "limits.memory_growths", limits.memory_growths, GROWTHS)
        }
        Trouble::TableElements => {
            limit("table_elements", "limits.table_elements", limits.table_elements, TABLE)
        }
        Trouble::StackBytes => limit("stack_bytes", "stack_bytes", STACK_BYTES_MAX, STACK),
        Trouble::ResultBytes => limit("result_bytes", "limits.result_bytes", limits.result_bytes, RESULT),
        Trouble::HostcallBytes => {
            limit("hostcall_bytes", "limits.hostcall_bytes", limits.hostcall_bytes, HOSTCALL)
        }
        Trouble::Decisions => limit("decisions", "limits.decisions", limits.decisions, DECISIONS),
        Trouble::LogBytes => limit("log_bytes", "limits.log_bytes", limits.log_bytes, LOG),
        Trouble::Trap => meaning("trap", Group::Fault, TRAP),
        Trouble::Contract => meaning("contract", Group::Fault, CONTRACT),
        Trouble::NotGranted => meaning("not_granted", Group::Fault, NOT_GRANTED),
        Trouble::Host => meaning("host", Group::Fault, HOST),
        Trouble::Skip => meaning("skip", Group::Refusal, SKIP),
        Trouble::RetryAfterMs => meaning("retry_after_ms", Group::Refusal, RETRY),
        Trouble::Park => meaning("park", Group::Refusal, PARK),
        Trouble::Other => meaning("other", Group::Refusal, OTHER),
        Trouble::NotWasm => meaning("not_wasm", Group::Admission, NOT_WASM),
        Trouble::CoreModule => meaning("core_module", Group::Admission, CORE_MODULE),
        Trouble::ComponentBytes => meaning("component_bytes", Group::Admission, COMPONENT_BYTES),
        Trouble::CompileTimeMs => meaning("compile_time_ms", Group::Admission, COMPILE_TIME),
        Trouble::CompileMemoryBytes => meaning("compile_memory_bytes", Group::Admission, COMPILE_MEMORY),
        Trouble::CompilerCrash => meaning("compiler_crash", Group::Admission, COMPILER_CRASH),
        Trouble::Invalid => meaning("invalid", Group::Admission, INVALID),
        Trouble::Imports => meaning("imports", Group::Admission, IMPORTS),
        Trouble::NoHandler => meaning("no_handler", Group::Admission, NO_HANDLER),
        Trouble::WrongHandler => meaning("wrong_handler", Group::Admission, WRONG_HANDLER),
        Trouble::NeedsTooMuch => meaning("needs_too_much", Group::Admission, NEEDS_TOO_MUCH),
        Trouble::Impure => meaning("impure", Group::Test, IMPURE),
    }
}

fn meaning(name: &'static str, group: Group, [means, author, operator]: Text) -> Meaning {
    Meaning { name, group, means, limit: None, author, operator }
}

const WALL_TIME: Text = [
    "The call ran longer than it may. The host asks again later, in case the machine was busy, and parks the event for this \
     plugin when it has asked often enough.",
    "Run `tidegate plugin bench` and see how near to the limit you are. Do less per event: no loop over what grows with the \
     body more than once, no work at start that the answer does not need.",
    "If the machine was merely busy, nothing. Else raise `limits.wall_time_ms` in tidegate.toml, and in plugin.toml when it \
     asks for less.",
];
const FUEL: Text = [
    "The call used more fuel than it may: about one unit per WebAssembly instruction. The same event uses the same fuel on \
     every machine, so asking again would end the same way, and the event is parked for this plugin.",
    "`tidegate plugin bench` shows what each event uses. Do less per event, or ask for more in `limits.fuel` of plugin.toml.",
    "Raise `limits.fuel` in tidegate.toml, and in plugin.toml when it asks for less. 0 there counts none.",
];
const MEMORY: Text = [
    "All linear memories together wanted to grow past the limit, and the plugin ended when that was denied. A plugin that gets \
     on without the memory is at no fault.",
    "`tidegate plugin check` shows what an instance has at rest, `run` what an event takes. Copy the body less often, and stream \
     instead of collecting. A language with a garbage collector can be given a smaller heap.",
    "Raise `limits.memory_bytes` in tidegate.toml, and in plugin.toml when it asks for less. Every running instance may take \
     that much.",
];
const GROWTHS: Text = [
    "The plugin's memories and tables asked too often to grow. Each time is work for the host, so a plugin that grows a page at \
     a time, or asks again and again for what it is denied, is stopped.",
    "Take memory in larger steps: reserve room for a collection before filling it, or start with a larger memory (a linker's \
     flag). `tidegate plugin bench` shows how often a call grows.",
    "Raise `limits.memory_growths` in tidegate.toml, and in plugin.toml when it asks for less.",
];
const TABLE: Text = [
    "A table (where function references live) wanted to grow past the limit.",
    "This is rare: a large runtime, or references made in a loop. Build with dead code removed.",
    "Raise `limits.table_elements` in tidegate.toml, and in plugin.toml when it asks for less.",
];
const STACK: Text = [
    "The plugin recursed deeper than its stack. The functions it was in are shown, innermost first.",
    "Look for a recursion that follows the event's data, and make it a loop or stop it at a depth.",
    "Nothing can be set: the stack is one number for all plugins. Send the backtrace to the author.",
];
const RESULT: Text = [
    "What the plugin returned, all decisions together, is larger than it may be.",
    "Return less: send a reference instead of a copy of the body, and split what you send.",
    "Raise `limits.result_bytes` in tidegate.toml, and in plugin.toml when it asks for less.",
];
const HOSTCALL: Text = [
    "One call of the host (a write to the plugin's log, for one) came with more bytes than it may. The functions it was in are \
     shown, innermost first.",
    "Write in pieces, and less: the log is for a line or two about an event, not for its body.",
    "Raise `limits.hostcall_bytes` in tidegate.toml, and in plugin.toml when it asks for less. The host copies that much for \
     each call under way.",
];
const DECISIONS: Text = [
    "The plugin returned more decisions than it may. None of them was carried out.",
    "Put what goes to one place into one request.",
    "Raise `limits.decisions` in tidegate.toml, and in plugin.toml when it asks for less.",
];
const LOG: Text = [
    "The plugin wrote more to its standard output and error than is kept. The rest is left out and counted; the call itself \
     is not harmed.",
    "Write what a person would read: not the whole event, and nothing in a loop.",
    "Raise `limits.log_bytes` in tidegate.toml, and in plugin.toml when it asks for less. The log is stored with each event.",
];
const TRAP: Text = [
    "The plugin crashed: a panic, an uncaught exception, an exit, an `unreachable`, memory outside its own. The functions it \
     was in are shown, innermost first; what it wrote is in its log. Asking again would end the same way, so the event is parked for this plugin.",
    "Put an event like it into events/ and run `tidegate plugin test`: it fails the same way \
     there. When the functions have numbers instead of names, build without stripping names (Rust: strip = \"debuginfo\").",
    "Nothing is lost: the event is kept whole. Deploy a repaired version, then ask again.",
];
const CONTRACT: Text = [
    "What came back is not what the contract's types say: a text that is not UTF-8, a case that does not exist, memory that is \
     not there.",
    "Compilers do not do this: look at code that writes the result by hand, and at bindings made from another plugin.wit.",
    "Nothing can be set. Send the event to the author.",
];
const NOT_GRANTED: Text = [
    "The plugin decided something that it was not granted or that this host does not carry out. The whole plan was parked: half \
     a plan is never performed.",
    "Name each host in `hosts` of plugin.toml. `tidegate plugin run` shows each decision and why it would be denied.",
    "When you want the plugin to reach the host, deploy it with `--host HOST`, or with the host in its plugin.toml.",
];
const HOST: Text = [
    "The host could not do its part: no memory to map, for one. The plugin is not to blame, and will be asked again.",
    "Nothing.",
    "Look at the host's log, and at the memory and the disk that are left.",
];
const SKIP: Text = [
    "The plugin says that the event is none of its business. Nothing is done and nothing is parked.",
    "Name only the kinds you want in `kinds` of plugin.toml: then you are not asked. An empty list of decisions is as good.",
    "Nothing.",
];
const RETRY: Text = [
    "The plugin asks to be asked again after some time. The host does so, `retry.asks_max` times at most, then parks the event.",
    "Use `event.attempt` to tell how often you were asked; nothing else changes between two attempts.",
    "`retry.asks_max` and `retry.cap_ms` in tidegate.toml bound it.",
];
const PARK: Text = [
    "The plugin does not want to decide this event until a person has looked, and says why.",
    "Say what is missing and where to set it: the reason is read by the operator.",
    "`tidegate parked list` has the reason. Do what it says, such as setting the missing setting, and deploy again.",
];
const OTHER: Text = [
    "A refusal that this version of the contract does not name. It is treated as `park`.",
    "Use `park` unless you know that the host understands more.",
    "As for `park`.",
];
const NOT_WASM: Text = [
    "The file is not WebAssembly.",
    "Point at the built component (`component` in plugin.toml), not at its source, and build it first.",
    "Nothing: the version that was active still is.",
];
const CORE_MODULE: Text = [
    "The file is a core WebAssembly module. A plugin is a component: a module with its types.",
    "Run `wasm-tools component new MODULE.wasm -o plugin.wasm` as the last step of the build.",
    "Nothing: the version that was active still is.",
];
const COMPONENT_BYTES: Text = [
    "The component is larger than the host takes.",
    "Build for size, strip debug information (not the names), and leave out what is not used.",
    "Nothing can be set.",
];
const COMPILE_TIME: Text = [
    "Compiling the component took more of the processor's time than it may, and was stopped. Nothing else waited for it.",
    "Look for one enormous function, such as a table written as code, and for libraries that are not used. `tidegate plugin \
     check` shows how long compiling takes.",
    "When the plugin is large and yours, raise `sandbox.compile_time_ms_max` in tidegate.toml.",
];
const COMPILE_MEMORY: Text = [
    "Compiling the component took more memory than it may, and was stopped.",
    "Look for one enormous function, such as a table written as code, and for libraries that are not used.",
    "When the plugin is large and yours, raise `sandbox.compile_memory_bytes_max` in tidegate.toml.",
];
const COMPILER_CRASH: Text = [
    "The compiler ended without a word about this component. It runs in a process of its own, so nothing else was harmed.",
    "Build the component with fewer optimisations or another version of the language's tools.",
    "Look at the host's log for what the compiler last said, and report it with the component. The version that was active \
     still is.",
];
const INVALID: Text = [
    "The component is damaged, or uses WebAssembly that this host does not know.",
    "Build it again. Turn proposals off that are not in WebAssembly 3.0 or not finished, such as threads.",
    "Nothing: the version that was active still is.",
];
const IMPORTS: Text = [
    "The component imports something that no plugin is given. A plugin may import `tidegate:plugin/log` and interfaces of WASI 0.2, \
     which have nothing of the machine behind them, so that it cannot reach anything and the same event always gives the same decisions.",
    "Imports of `wasi:` with another version come from a runtime that is older or newer: build with one for 0.2. Any other import \
     is the plugin's own: leave it out.",
    "Nothing: there is no way to give a plugin more.",
];
const NO_HANDLER: Text = [
    "The component does not export the handler of any contract version that this host knows.",
    "Build it for the world `plugin` of wit/plugin.wit as `tidegate plugin new` writes it. `tidegate plugin check` lists the \
     versions that are known and what the component exports.",
    "If the plugin is newer than this host, install a newer host; else nothing.",
];
const WRONG_HANDLER: Text = [
    "The component exports the handler under the right name, with types that are not the contract's.",
    "Its bindings were made from a changed plugin.wit. Make them again from this host's.",
    "Nothing: the version that was active still is.",
];
const NEEDS_TOO_MUCH: Text = [
    "The component declares more memory, tables or instances than the host gives to any plugin.",
    "Lower the initial memory in the linker's flags, and link into one core module.",
    "When it is memory, raise `limits.memory_bytes` in tidegate.toml; nothing else can be set.",
];
const IMPURE: Text = [
    "The same event, asked twice in fresh instances, gave two different answers.",
    "Look for what differs between two calls of one instance's code: memory that was never written, or an order taken from a \
     hash table whose seed is an address. Clock and chance are the same for the same event, so it is one of these.",
    "Do not deploy it: after a crash the host may ask again, and must get the same decisions.",
];
