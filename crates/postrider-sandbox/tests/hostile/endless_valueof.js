// expect: Timeout
function handler(input) {
  const value = { valueOf() { for (;;) {} } };
  return value + 1;
}
