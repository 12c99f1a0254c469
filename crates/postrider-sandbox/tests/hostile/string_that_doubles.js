// expect: OutOfMemory | Thrown
function handler(input) {
  let text = 'a';
  for (;;) text += text;
}
