// Runs inside `asc`: the contract's name of the function is not one that AssemblyScript can spell.

export default class {
  afterCompile(module) {
    module.removeExport('handle');
    module.addFunctionExport('notice/handle', 'tidegate:plugin/handler@1.0.0#handle');
  }
}
