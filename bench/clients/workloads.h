/* The statements of the workloads, on the tables of bench/tables.lua. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#define POINTS 10000 /* rows of the table `point` */

#define POINT "SELECT id, name, score FROM point WHERE id = ?"
#define INSERT "INSERT INTO sink (n, m) VALUES (?, ?)"
#define WIDE "SELECT id, name, score, size, data, note FROM wide LIMIT ?"

#endif
