// expect: Timeout
function handler(input) {
  return { get value() { for (;;) {} } };
}
