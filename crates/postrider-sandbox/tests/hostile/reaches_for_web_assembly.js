// expect: Thrown
function handler(input) {
  return new WebAssembly.Module(new Uint8Array(8));
}
