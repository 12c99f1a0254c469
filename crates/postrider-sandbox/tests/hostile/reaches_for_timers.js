// expect: Thrown
function handler(input) {
  return setTimeout(() => 1, 1e9);
}
