// How the console is built: everything under /console/, no inline script, no foreign origin.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// While developing, `KEYWRIGHT=http://127.0.0.1:PORT npm run dev` asks the console's listener of
// that server. It sees the host and origin that the browser sees, so signatures hold.
const server = {
  target: process.env['KEYWRIGHT'] ?? 'http://127.0.0.1:8788',
  changeOrigin: false,
};

export default defineConfig({
  base: '/console/',
  plugins: [react()],
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 2000 },
  server: { proxy: { '^/console/api/': server, '^/(?!console(/|$))': server } },
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'] },
});
