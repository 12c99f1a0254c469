-- Once, on the primary: psql --file=database.sql
CREATE ROLE postrider LOGIN PASSWORD 'change-me-4';
CREATE DATABASE postrider OWNER postrider;
