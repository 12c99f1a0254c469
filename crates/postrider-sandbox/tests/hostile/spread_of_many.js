// expect: Thrown | OutOfMemory | StackOverflow | Timeout
function handler(input) {
  return Math.max(...new Array(1e8));
}
