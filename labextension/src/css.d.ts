/** Styles as text, for tests. */
declare module '*.css?raw' {
  const text: string;
  export default text;
}
