// expect: Thrown | OutOfMemory | StackOverflow | Timeout
function handler(input) {
  return Math.max.apply(null, new Array(1e8));
}
