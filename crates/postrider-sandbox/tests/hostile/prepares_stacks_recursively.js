// expect: Thrown | StackOverflow | Timeout | OutOfMemory
function handler(input) {
  Error.prepareStackTrace = () => { throw new Error('b'); };
  throw new Error('a');
}
