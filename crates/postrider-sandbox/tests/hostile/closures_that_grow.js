// expect: OutOfMemory | Timeout
function handler(input) {
  let next = () => 1;
  for (;;) {
    const last = next;
    next = () => last;
  }
}
