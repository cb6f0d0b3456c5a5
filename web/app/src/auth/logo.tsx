/** The wild goose in flight. */
export function Logo({ size = 56 }: { size?: number }) {
  return (
    <svg class="logo" width={size} height={size} viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="16" class="logo-ground" />
      <path class="logo-goose" d="M9 37c8-1 14-4 19-10 4-5 8-10 16-12-4 4-6 8-7 12 5 1 9 0 13-3 2-1.5 4.5-1 5.5 1l-6 2.5c-3 5-8 8.5-14.5 9-4 5-10 9-18 10 4-3 6.5-6 8-9.5-5 1.5-10.5 1.5-16 0z" />
    </svg>
  )
}
