// expect: Thrown
async function handler() {
  return (await import('/etc/passwd')).default;
}
