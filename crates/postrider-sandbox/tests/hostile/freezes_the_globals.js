// expect: returns 1
function handler(input) {
  Object.freeze(globalThis);
  return 1;
}
