// expect: Timeout | OutOfMemory
function handler(input) {
  return Array.from({ *[Symbol.iterator]() { for (;;) yield 1; } });
}
