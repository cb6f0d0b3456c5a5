/** A name for this browser in the list of the account's devices: "Firefox, Windows". */
export function deviceName(agent = navigator.userAgent): string {
  const browser = first(agent, [
    [/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/SamsungBrowser/, 'Samsung Internet'], [/Firefox\/|FxiOS/, 'Firefox'],
    [/Chrome\/|CriOS/, 'Chrome'], [/Safari\//, 'Safari'],
  ])
  const system = first(agent, [
    [/Android/, 'Android'], [/iPhone/, 'iPhone'], [/iPad/, 'iPad'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'],
    [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux'],
  ])
  return [browser, system].filter(Boolean).join(', ') || 'Web'
}

function first(text: string, names: readonly (readonly [RegExp, string])[]): string {
  return names.find(([pattern]) => pattern.test(text))?.[1] ?? ''
}
