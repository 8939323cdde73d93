create database lectern_gateway;
create database lectern_course_catalog;
create database lectern_content;
create database lectern_enrollment;
create database lectern_import_export;
