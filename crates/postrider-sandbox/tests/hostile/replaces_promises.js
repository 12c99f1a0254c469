// expect: returns 1
function handler(input) {
  Promise.prototype.then = () => { throw 1; };
  globalThis.Promise = null;
  return (async () => 1)();
}
