// expect: Timeout
function handler(input) {
  return 'aaa'.replace(/a/g, () => { for (;;) {} });
}
