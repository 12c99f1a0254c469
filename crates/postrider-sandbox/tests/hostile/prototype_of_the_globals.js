// expect: returns 1
function handler(input) {
  Object.setPrototypeOf(globalThis, new Proxy({}, { has: () => true, get: () => 1 }));
  return something;
}
