// expect: OutOfMemory
function handler(input) {
  throw null;
}
