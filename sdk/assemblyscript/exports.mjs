// Runs inside `asc`: the contract's name of the function is not one that AssemblyScript can spell.

export default class {
  afterCompile(module) {
    module.removeExport('answer');
    module.addFunctionExport('program/answer', 'tidegate:plugin/handler@1.0.0#handle');
  }
}
