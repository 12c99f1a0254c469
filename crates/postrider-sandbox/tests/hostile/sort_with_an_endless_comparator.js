// expect: Timeout
function handler(input) {
  return [3, 2, 1].sort(() => { for (;;) {} });
}
