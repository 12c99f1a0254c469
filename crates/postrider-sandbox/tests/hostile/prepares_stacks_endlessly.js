// expect: Timeout | Thrown
function handler(input) {
  Error.prepareStackTrace = () => { for (;;) {} };
  throw new Error('a');
}
