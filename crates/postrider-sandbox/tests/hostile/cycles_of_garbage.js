// expect: Timeout | OutOfMemory
function handler(input) {
  for (;;) {
    const a = {};
    a.b = { a, text: new Array(100).fill(a) };
  }
}
