// expect: Thrown
function handler(input) {
  throw new Proxy(new Error('a'), { get() { throw 1; } });
}
