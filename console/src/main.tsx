// The entry point of the console.
import '@cloudscape-design/global-styles/index.css';
import './frame/shell.css';

import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createBrowserRouter } from 'react-router';
import { RouterProvider } from 'react-router/dom';

import { queryClient } from './api/session';
import { App } from './app';
import { applyTheme } from './frame/theme';

applyTheme();
// The app has its own routes. This router is there because only it can hold a navigation back.
const router = createBrowserRouter([{ path: '*', element: <App /> }], { basename: '/console' });
const root = document.getElementById('console');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
