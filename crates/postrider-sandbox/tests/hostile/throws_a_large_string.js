// expect: Thrown
function handler(input) {
  throw 'a'.repeat(1 << 20);
}
