// expect: Timeout | OutOfMemory | Thrown
function handler(input) {
  return String(3n ** 2000000n).length;
}
