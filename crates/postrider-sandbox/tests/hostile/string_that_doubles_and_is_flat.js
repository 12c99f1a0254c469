// expect: OutOfMemory | Thrown
function handler(input) {
  let text = 'ab';
  for (;;) {
    text += text;
    text.charCodeAt(1);
  }
}
