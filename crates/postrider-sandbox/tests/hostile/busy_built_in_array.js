// expect: Timeout | OutOfMemory | OutputTooLarge | Thrown
function handler(input) {
  return new Array(1e9);
}
