// expect: returns 1
function handler(input) {
  console.log = () => { throw 1; };
  globalThis.console = null;
  return 1;
}
