// expect: Timeout
function handler(input) {
  for (;;) {}
}
