// Runs before the first paint, so that a chosen theme never flashes the other one.
try {
  const { theme, density } = JSON.parse(localStorage.getItem('outrider.preferences') ?? '{}')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  if (density === 'comfortable') document.documentElement.dataset.density = density
} catch {
  // Storage is blocked or holds something else: the system's theme stands.
}
