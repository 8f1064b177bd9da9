//! The plugin's allocator. Of what a small plugin does with an event, memory is a good part, and `talc`, which is made for
//! WebAssembly, takes less time for it and less of the module than dlmalloc, which the standard library would use.

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();
