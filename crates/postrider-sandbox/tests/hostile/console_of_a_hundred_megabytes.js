// expect: returns 1
function handler(input) {
  const part = 'a'.repeat(1 << 20);
  for (let i = 0; i < 100; i++) console.log(part);
  return 1;
}
