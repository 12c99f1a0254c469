// expect: Timeout
function handler(input) {
  console.log({ toJSON() { for (;;) {} } });
  return 1;
}
