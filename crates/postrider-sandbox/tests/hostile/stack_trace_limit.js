// expect: Thrown | StackOverflow
function handler(input) {
  Error.stackTraceLimit = Infinity;
  function deep(n) { if (n === 0) throw new Error('a'); deep(n - 1); }
  deep(500);
}
