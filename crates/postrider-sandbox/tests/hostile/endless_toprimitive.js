// expect: Timeout
function handler(input) {
  const value = { [Symbol.toPrimitive]() { for (;;) {} } };
  return `${value}`;
}
