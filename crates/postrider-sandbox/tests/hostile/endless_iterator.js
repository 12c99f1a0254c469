// expect: Timeout
function handler(input) {
  const endless = { *[Symbol.iterator]() { for (;;) yield 1; } };
  for (const item of endless) input.last = item;
}
