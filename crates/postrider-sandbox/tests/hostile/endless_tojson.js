// expect: Timeout
function handler(input) {
  return { toJSON() { for (;;) {} } };
}
