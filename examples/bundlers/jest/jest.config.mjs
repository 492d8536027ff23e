export default { testMatch: ['<rootDir>/*.test.cjs'], maxWorkers: 1 };
