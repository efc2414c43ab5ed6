// The style sheet's colours for canvases, which cannot read custom properties.

export type Colours = (name: string) => string

/** Reads `--name` as the browser resolves it now; read again after a change of theme. */
export function readColours(): Colours {
  const known = new Map<string, string>()
  return (name) => {
    let colour = known.get(name)
    if (colour === undefined) {
      const probe = document.createElement('span')
      probe.style.color = `var(--${name})`
      document.body.append(probe)
      colour = getComputedStyle(probe).color
      probe.remove()
      known.set(name, colour)
    }
    return colour
  }
}

/** Calls back when the theme on screen has changed; returns what ends it. */
export function onThemeChange(callback: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const watcher = new MutationObserver(callback)
  system.addEventListener('change', callback)
  watcher.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  return () => {
    system.removeEventListener('change', callback)
    watcher.disconnect()
  }
}
